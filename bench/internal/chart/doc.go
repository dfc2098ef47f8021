// Package chart answers: how do these figures look side by side?
//
// It draws horizontal bars as SVG: a Chart of Panels, one measure each, one Bar per server with its
// median and a whisker for the spread. It computes nothing but lengths. The same Chart always gives
// the same bytes, so a chart under version control changes only when the figures do. It depends on no
// font, script or style sheet outside the file, and paints its own background.
package chart
