package ss

// Events returns in which states of life each event may be told.
func Events() map[State][]State { return events }
