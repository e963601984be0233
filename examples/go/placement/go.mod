module placement

go 1.24

require estore v0.0.0

replace estore => ../../../bindings/go
