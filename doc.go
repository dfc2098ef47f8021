// Package millrace is the root of the module "Secure Streams for Go" and holds no code: only the tests
// that keep the repository's own rules (tidy_*_test.go) and the examples of the README (readme_test.go).
//
// To use the library start at package ss. The README has the map of the house, docs/architecture.md the
// way of a byte through it.
package millrace
