package main

import (
	"fmt"
	"os"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles"
)

// readPolicy reads and parses a policy file. The error is for people and complete.
func readPolicy(file string) (*policy.Policy, error) {
	doc, err := readDocument(file)
	if err != nil {
		return nil, err
	}
	p, err := policy.Parse(doc)
	if err != nil {
		return nil, fmt.Errorf("the policy in %s cannot be used:\n%w", roles.Plain(file), err)
	}
	return p, nil
}

// readDocument reads a file that may be a policy, and not more of it than Parse would take.
func readDocument(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAtMost(f, policy.MaxDocument+1)
}

// readFile reads a file of no more than a policy's length.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := readAtMost(f, policy.MaxDocument+1)
	if err == nil && len(b) > policy.MaxDocument {
		err = fmt.Errorf("%s has more than %d bytes", name, policy.MaxDocument)
	}
	return b, err
}
