// Package stat summarises measurements.
//
// It contains the arithmetic of the benchmarks and measures nothing itself. Latencies go into a
// Histogram of fixed size, which allocates nothing while a measurement runs. The figures of several
// rounds are slices, and become a Summary: median, quartiles, extremes. Paired compares two servers
// of the same rounds: it divides round by round before it
// summarises, so that a machine that was slow for one round affects both sides of the quotient equally.
//
// Inputs are not retained and not reordered. A summary of no figures has N zero and
// NaN for every value.
package stat
