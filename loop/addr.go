package loop

import "strconv"

func portString(port uint16) string { return strconv.Itoa(int(port)) }
