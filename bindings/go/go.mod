module estore

go 1.24
