rol "app" {
}

bakcup "before" {
}

frobnicate {
}
