package interop

const childEnv = "MILLRACE_INTEROP_CHILD"

func child() int { return 1 }
