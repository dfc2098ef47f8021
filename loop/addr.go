package loop

import "strconv"

func portString(port uint16) string { return strconv.Itoa(int(port)) }

// plainPath returns path with unprintable characters escaped as in a Go string.
func plainPath(path string) string {
	q := strconv.Quote(path)
	if q = q[1 : len(q)-1]; len(q) == len(path) {
		return path
	}
	return q
}
