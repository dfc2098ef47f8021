// Package list is a doubly linked list whose links lie in the elements, so that adding and removing allocate nothing
// and cost the same for any length.
//
// An element embeds Links. It is in one list at a time: a type that is in two lists has two fields of types that embed
// Links. The zero List is empty and ready. A list does not own its elements, and knows nothing of what they are.
package list
