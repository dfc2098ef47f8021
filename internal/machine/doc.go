// Package machine holds a state machine as data: a table with a row per state, named after what the machine waits
// for, and the moves that leave it.
//
// A protocol package writes its table once. From it the package checks its own moves (Masks), a test checks that the
// table is complete (Check), and docs/machines.md is written (Section, by package machinetest). The package runs no
// machine: the code that moves stays with the protocol.
package machine
