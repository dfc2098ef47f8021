package policy

// maxNear is the longest name for which a nearest one is looked for: the cost grows with the square of
// the length, and a name this long is no misspelling of a key.
const maxNear = 48

// nearness finds the candidate that a misspelt name most likely meant.
type nearness struct {
	wanted string
	best   string
	cost   int
}

// offer considers one candidate. Of equally near ones the first offered stays.
func (n *nearness) offer(candidate string) {
	if len(n.wanted) > maxNear || len(candidate) > maxNear {
		return
	}
	limit := 1 + min(len(n.wanted), len(candidate))/5
	if cost := distance(n.wanted, candidate); cost <= limit && cost < max(len(n.wanted), len(candidate)) && (n.best == "" || cost < n.cost) {
		n.best, n.cost = candidate, cost
	} else if n.best == "" && len(n.wanted) >= 4 && len(candidate) > len(n.wanted) && candidate[:len(n.wanted)] == n.wanted {
		n.best, n.cost = candidate, maxNear // cut short: better than nothing, worse than any misspelling
	}
}

// distance counts the insertions, deletions, replacements and swaps of neighbours that turn a into b,
// where letters that differ only in case, and '-', '_' and blank, are the same. Both are at most maxNear long.
func distance(a, b string) int {
	var rows [3][maxNear + 1]int
	before, above, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			x, y := fold(a[i-1]), fold(b[j-1])
			d := above[j-1]
			if x != y {
				d++
			}
			d = min(d, above[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && x == fold(b[j-2]) && y == fold(a[i-2]) {
				d = min(d, before[j-2]+1)
			}
			row[j] = d
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}

func fold(c byte) byte {
	switch {
	case c >= 'A' && c <= 'Z':
		return c + 'a' - 'A'
	case c == '-' || c == ' ':
		return '_'
	}
	return c
}
