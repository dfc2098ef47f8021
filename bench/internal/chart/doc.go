// Package chart draws bar charts of benchmark figures.
//
// It draws horizontal bars as SVG: a Chart of Panels, one measure each, one Bar per server with its
// median and a whisker for the spread. It computes only lengths. The same Chart always gives
// the same bytes, so a chart under version control changes only when the figures change. The file needs no
// external font, script or style sheet, and paints its own background.
package chart
