// Package procfs reads the memory and processor time of other processes, and binds threads to cores.
//
// It reads another process's memory from /proc/PID/status and its processor time from the kernel's
// per-process clock, and it binds threads to cores. Linux only. It starts, stops and signals nothing.
//
// CPU uses clock_gettime on the process's own clock and not /proc/PID/stat, whose ticks of 10 ms are
// too coarse for a round of one second, nor /proc/PID/schedstat, which covers one thread and omits
// threads that have ended.
package procfs
