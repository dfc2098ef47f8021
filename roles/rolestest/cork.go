package rolestest

import "fmt"

// Cork is roles.Lower's.
func (l *Lower) Cork() bool {
	if l.corked {
		l.misuse("Cork inside Cork")
	}
	if l.full() || l.Closing || l.Shut {
		return false
	}
	l.corked, l.cut = true, false
	l.Corks++
	return true
}

// Uncork is roles.Lower's.
func (l *Lower) Uncork() {
	if !l.corked {
		l.misuse("Uncork without Cork")
	}
	l.corked = false
}

// Lendable is roles.Lower's.
func (l *Lower) Lendable(n int) int {
	if !l.corked {
		l.misuse("Lendable without Cork")
	}
	if l.full() || l.cut || l.LendMost == 0 || l.Room(n) == nil {
		return 0
	}
	return l.LendMost
}

// Lend is roles.Lower's.
func (l *Lower) Lend(b []byte) int {
	if !l.corked || l.cut {
		l.misuse("Lend without Cork, or after one that was cut short")
		return 0
	}
	n := len(b)
	if n > l.LendMost {
		if n > l.TakeMost {
			n, l.cut = l.TakeMost, true
		}
	}
	l.Lent += n
	l.Out = append(l.Out, b[:n]...)
	l.room = nil
	return n
}

func (l *Lower) checkCut(n int) {
	if l.cut && n > 0 && l.corked {
		l.misuse(fmt.Sprintf("Commit(%d) behind a Lend that was cut short", n))
	}
}
