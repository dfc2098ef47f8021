package policy

const (
	// maxNear is the longest name for which a suggestion is looked for: the cost grows with the square of
	// the length, and a name this long is no misspelling of a key.
	maxNear = 48

	// nearBudget is how much work the suggestions of one document may cost, in cells of the tables by which
	// distances are found, with nearOffer for each name that is looked at: a few milliseconds. A document of
	// a person's mistakes needs a hundredth of it; after that problems are reported without suggestion.
	nearBudget = 1 << 20
	nearOffer  = 4
)

// suggestion finds the candidate that a misspelt name most likely meant.
type suggestion struct {
	wanted string
	budget *int // what is left of nearBudget; nothing is looked at when it is used up
	best   string
	cost   int
}

// offer considers one candidate. Of equally near ones the first offered stays.
func (n *suggestion) offer(candidate string) {
	if *n.budget <= 0 || len(n.wanted) > maxNear || len(candidate) > maxNear {
		return
	}
	*n.budget -= nearOffer
	shorter, longer := min(len(n.wanted), len(candidate)), max(len(n.wanted), len(candidate))
	limit := 1 + shorter/5
	if longer-shorter <= limit { // each letter that is missing counts one
		*n.budget -= len(n.wanted) * len(candidate)
		if cost := distance(n.wanted, candidate); cost <= limit && cost < longer && (n.best == "" || cost < n.cost) {
			n.best, n.cost = candidate, cost
			return
		}
	}
	if n.best == "" && len(n.wanted) >= 4 && len(candidate) > len(n.wanted) && candidate[:len(n.wanted)] == n.wanted {
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
