package ss

// warmList holds the connections that nobody uses at present, of all routes, the one that waits longest in
// front.
type warmList struct {
	oldest, newest *httpConn
	n              int
}

// put appends c. When the list is full, the connection that has waited longest makes room.
func (l *warmList) put(c *httpConn) {
	for l.n >= c.rt.cfg.WarmMax {
		l.oldest.discard()
	}
	c.warm = true
	c.older = l.newest
	if l.newest != nil {
		l.newest.newer = c
	} else {
		l.oldest = c
	}
	l.newest = c
	l.n++
}

func (l *warmList) remove(c *httpConn) {
	if !c.warm {
		return
	}
	c.warm = false
	l.n--
	if c.older != nil {
		c.older.newer = c.newer
	} else {
		l.oldest = c.newer
	}
	if c.newer != nil {
		c.newer.older = c.older
	} else {
		l.newest = c.older
	}
	c.older, c.newer = nil, nil
}

func (l *warmList) closeAll() {
	for l.oldest != nil {
		l.oldest.discard()
	}
}
