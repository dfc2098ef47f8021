package stat

import (
	"math"
	"slices"
	"testing"
)

func TestSummarise(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   []float64
		want Summary
	}{
		{"one round", []float64{7}, Summary{1, 7, 7, 7, 7, 7}},
		{"odd", []float64{9, 1, 5}, Summary{3, 5, 1, 3, 7, 9}},
		{"even takes the middle of the two middles", []float64{4, 1, 3, 2}, Summary{4, 2.5, 1, 1.75, 3.25, 4}},
		{"an outlier moves the maximum only", []float64{1, 1, 1, 1, 100}, Summary{5, 1, 1, 1, 1, 100}},
	} {
		before := slices.Clone(tc.in)
		if got := Summarise(tc.in); got != tc.want {
			t.Errorf("%s: Summarise(%v)\n got %+v\nwant %+v", tc.name, tc.in, got, tc.want)
		}
		if !slices.Equal(before, tc.in) {
			t.Errorf("%s: input reordered: got %v, want %v", tc.name, tc.in, before)
		}
	}
}

func TestSummariseNothing(t *testing.T) {
	s := Summarise(nil)
	if s.N != 0 || !math.IsNaN(s.Median) || !math.IsNaN(s.Min) || !math.IsNaN(s.Max) {
		t.Errorf("Summarise(nil): got %+v, want N 0 and NaN", s)
	}
}

// A machine that is twice as slow in one round must not show in the ratio.
func TestPairedCancelsASlowRound(t *testing.T) {
	got, err := Paired([]float64{11, 22, 11}, []float64{10, 20, 10})
	if err != nil {
		t.Fatal(err)
	}
	if got.N != 3 || math.Abs(got.Min-1.1) > 1e-12 || math.Abs(got.Max-1.1) > 1e-12 {
		t.Errorf("got %+v, want 1.1 in all three rounds", got)
	}
}

func TestPairedRefuses(t *testing.T) {
	for name, in := range map[string][2][]float64{
		"a round that one side lacks": {{1, 2}, {1}},
		"division by zero":            {{1, 2}, {1, 0}},
	} {
		if s, err := Paired(in[0], in[1]); err == nil {
			t.Errorf("%s: got %+v, want an error", name, s)
		}
	}
}
