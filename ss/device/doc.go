// Package device answers one question: which values belong to the device and not to one stream, and outlive the
// streams or the process?
//
// Blobs are values that the program has: serial number, access token, client certificate. Policies refer to them by
// BlobID. A value enters by the program's Blobs, is looked up at each use, and leaves as a slice that is valid until
// the next lookup. Cookies enter from responses and leave with requests; CookieJar reads them from a CookieStore
// before the first use, and writes them after changes. Files are read and written by Loop.Offload, away from the
// loop's thread.
//
// The package opens no connection and makes no header field. Which streams use blobs and cookies is the policy's and
// ss's decision.
package device
