// Package millrace is the root of the module "Secure Streams for Go" and holds no code: only the tests
// that check the rules of the repository (tidy_*_test.go) and the examples of the README (readme_test.go).
//
// To use the library start at package ss. The README has the map of the packages, docs/architecture.md the
// path of a byte through them.
package millrace
