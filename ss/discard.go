package ss

import (
	"github.com/millrace/millrace/roles/http"
)

// A handler of HTTP exchanges that ignores everything.

// nobody takes what an exchange has left to say after its stream has let go of it.
type nobody struct{}

func (nobody) Head(http.Exchange, *http.Message) {}

func (nobody) Body(http.Exchange, []byte) {}

func (nobody) End(http.Exchange, []http.Field) {}

func (nobody) Writable(http.Exchange) {}

func (nobody) Done(http.Exchange, error) {}
