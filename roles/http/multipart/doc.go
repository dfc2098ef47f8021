// Package multipart answers where the parts of a multipart body begin and end (RFC 2046 section 5.1), and
// writes the multipart/form-data that browsers write (RFC 7578).
//
// A Reader is fed the body as it comes, in any fragmentation, and calls a Handler with the fields of each
// part and the pieces of its content, which are views into what it was fed. It keeps no content: of a
// delimiter that is cut in two it remembers how far it had come. What a part's name is, or what its
// content means, it does not ask.
//
// Writing is a few functions that append what stands between contents to a buffer, and say how long that is
// beforehand, so that Content-Length can be announced. Randomness for the boundary comes from the caller.
package multipart
