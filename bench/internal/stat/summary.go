package stat

import (
	"fmt"
	"math"
	"slices"
)

// Summary describes one figure over several rounds, in the unit of the figure.
type Summary struct {
	N      int     `json:"n"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Q1     float64 `json:"q1"`
	Q3     float64 `json:"q3"`
	Max    float64 `json:"max"`
}

// Summarise returns the summary of v, which it neither retains nor reorders. Quartiles are
// interpolated linearly between neighbours. An empty v gives N zero and NaN everywhere else.
func Summarise(v []float64) Summary {
	s := slices.Clone(v)
	slices.Sort(s)
	return Summary{
		N:      len(s),
		Median: quantile(s, 0.5),
		Min:    quantile(s, 0),
		Q1:     quantile(s, 0.25),
		Q3:     quantile(s, 0.75),
		Max:    quantile(s, 1),
	}
}

// Paired summarises num[i]/den[i]. Both slices hold one figure per round, in the same order of
// rounds; different lengths are an error, since a round that only one side finished has no quotient,
// and so is a denominator of zero.
func Paired(num, den []float64) (Summary, error) {
	if len(num) != len(den) {
		return Summary{}, fmt.Errorf("stat: pair rounds: %d against %d", len(num), len(den))
	}
	q := make([]float64, len(num))
	for i := range num {
		if den[i] == 0 {
			return Summary{}, fmt.Errorf("stat: pair rounds: round %d: denominator is zero", i)
		}
		q[i] = num[i] / den[i]
	}
	return Summarise(q), nil
}

// quantile interpolates in sorted; q runs from 0 to 1.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	lo := int(at)
	if lo+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[lo] + (at-float64(lo))*(sorted[lo+1]-sorted[lo])
}
