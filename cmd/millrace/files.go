package main

import (
	"fmt"
	"os"

	"github.com/millrace/millrace/policy"
	"github.com/millrace/millrace/roles"
)

// readPolicy reads and parses a policy file. The error lists all problems.
func readPolicy(file string) (*policy.Policy, error) {
	doc, err := readDocument(file)
	if err != nil {
		return nil, err
	}
	p, err := policy.Parse(doc)
	if err != nil {
		return nil, fmt.Errorf("the policy in %s is invalid:\n%w", roles.Plain(file), err)
	}
	return p, nil
}

// readDocument reads a policy file, up to one byte more than Parse accepts.
func readDocument(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAtMost(f, policy.MaxDocument+1)
}

// readFile reads a file of at most policy.MaxDocument bytes.
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
