smoke "a" {
}
