package ss

// Events returns the states of life in which each event may be delivered.
func Events() map[State][]State { return events }
