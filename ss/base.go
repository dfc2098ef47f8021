package ss

// Base is a Stream whose callbacks do nothing: State and Rx return LWSSSSRET_OK, Tx returns LWSSSSRET_TX_DONT_SEND.
// Embed it to write only the callbacks that a program needs.
type Base struct{}

var _ Stream = Base{}

// State implements Stream.
func (Base) State(*Handle, State, Notice) Ret { return OK }

// Rx implements Stream.
func (Base) Rx(*Handle, []byte, Flags) Ret { return OK }

// Tx implements Stream.
func (Base) Tx(*Handle, uint32, []byte) (int, Flags, Ret) { return 0, 0, TxDontSend }
