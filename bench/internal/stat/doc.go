// Package stat answers: what do these measurements say?
//
// It holds the arithmetic of the benchmarks and nothing that measures. Latencies go into a
// Histogram of fixed size, which allocates nothing while a measurement runs. The figures of several
// rounds go in as slices and come out as a Summary: median, quartiles, extremes. Two servers
// measured in the same rounds are compared by Paired, which divides round by round before it
// summarises, so that a machine that was slow for one round is slow for both sides of the quotient.
//
// Inputs are not kept and not reordered. No figure is invented: a summary of nothing has N zero and
// NaN for every value.
package stat
