// Package meta answers one question: which metadata does a stream have now?
//
// Values holds what the program has set (which is sent), what the peer said in its head or in the head of a part of its
// body (which is read, and never sent), the header fields that the program named itself, and a copy of a response's
// fields. Values enter as slices, which are copied, and leave as slices that belong to Values and are valid until the
// item is set again. policy.Template expands ${name} with Values.Expand. A Pool lends Values to streams, so that a
// stream without metadata holds none.
//
// The package does not know streams, and does not decide which names a policy allows: items are indices of the
// policy's list. The methods of ss.Handle do that.
package meta
