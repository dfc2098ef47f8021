package ss

// httpShared is the state that the HTTP streams of a runtime share.
type httpShared struct {
	pool      httpPool           // the connections of clients
	redirects pendingRedirects   // of clients
	spare     []*multipartReader // kept for the next multipart body
	part      *multipartReader   // the reader that announces a part now
}
