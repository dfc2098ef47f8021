// Package machinetest checks a state machine's table in a test, and keeps its section of docs/machines.md equal to the
// table.
//
// A protocol package calls Section once per table from a test. Section reads the page, and writes it only when the test
// runs with -update-machines. The package knows no protocol, and no runtime code imports it.
package machinetest
