module github.com/millrace/millrace/interop

go 1.26.0

replace github.com/millrace/millrace => ..

require github.com/millrace/millrace v0.0.0-00010101000000-000000000000

require (
	github.com/valyala/fastjson v1.6.10 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
