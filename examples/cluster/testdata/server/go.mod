module orthid.example/cluster/testdata/server

go 1.24.0
