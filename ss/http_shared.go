package ss

// httpShared is what the HTTP streams of a runtime share.
type httpShared struct {
	pool      httpPool           // the connections of clients
	redirects pendingRedirects   // of clients
	spare     []*multipartReader // wait for the next multipart body
	part      *multipartReader   // whose callback is announcing a part
}
