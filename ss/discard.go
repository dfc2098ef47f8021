package ss

import (
	"github.com/millrace/millrace/roles/http"
)

// A handler of HTTP exchanges that ignores everything.

// discard is the handler of an exchange whose stream has abandoned it.
type discard struct{}

func (discard) Head(http.Exchange, *http.Message) {}

func (discard) Body(http.Exchange, []byte) {}

func (discard) End(http.Exchange, []http.Field) {}

func (discard) Writable(http.Exchange) {}

func (discard) Done(http.Exchange, error) {}
