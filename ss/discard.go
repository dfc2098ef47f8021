package ss

import (
	"github.com/millrace/millrace/roles/http"
)

// A handler of HTTP exchanges that ignores everything.

// nobody takes what an exchange has left to say after its stream has let go of it.
type discard struct{}

func (discard) Head(http.Exchange, *http.Message) {}

func (discard) Body(http.Exchange, []byte) {}

func (discard) End(http.Exchange, []http.Field) {}

func (discard) Writable(http.Exchange) {}

func (discard) Done(http.Exchange, error) {}
