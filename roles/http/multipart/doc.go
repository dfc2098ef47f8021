// Package multipart reads multipart bodies (RFC 2046 s.5.1) and writes multipart/form-data (RFC 7578) in the form that
// browsers use.
//
// A Reader receives a body in pieces of any size through Rx. It calls a Handler with the header fields of each part and
// the pieces of its content, which are views of the bytes given to Rx. It stores no content: for a delimiter that is
// split between two pieces it stores only the length of the match. It does not interpret names or content.
//
// The writing functions append the delimiters and headers between contents to a buffer, and return their lengths in
// advance, so that Content-Length can be announced. The caller supplies the random bytes of the boundary.
package multipart
