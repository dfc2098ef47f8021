package ss

import (
	"log/slog"

	"github.com/millrace/millrace/ss/internal/logring"
)

// LogRing is a slog.Handler that may be used on the loop's goroutine: it stores records in a bounded ring and never
// waits for their reader, which can be a full pipe. One goroutine of the program calls Drain(ctx, next): it passes the
// records to the slog.Handler next until ctx is done. When the ring is full, new records are dropped; Dropped returns
// their number.
//
// A value that could change later (a byte slice, an error, an object) is rendered when it is logged.
type LogRing = logring.Ring

// NewLogRing makes a ring of size records (512 if size is not positive) that takes records of level and above. A nil
// level means slog.LevelInfo.
func NewLogRing(size int, level slog.Leveler) *LogRing { return logring.New(size, level) }
