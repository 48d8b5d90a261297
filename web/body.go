package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// errTwo: more than one JSON value where one is wanted.
var errTwo = errors.New("there is something after the object")

// readBody reads a request's body, one JSON object, into v, which has all the fields that are known; fields names them
// for people. errEmpty reports an empty body. Other errors: a 413 for one longer than maxBody, a 400 that says what is
// wrong with it.
func readBody(r *http.Request, v any, fields string) error {
	body, err := io.ReadAll(r.Body) // all of it first: what is too long is so wherever it is
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return &problem{
			Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("the body: at most %d octets are taken", long.Limit), cause: err,
		}
	case err != nil:
		return badRequest("the body: it did not come whole", err)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err = d.Decode(v)
	if errors.Is(err, io.EOF) {
		return errEmpty
	}
	if err == nil {
		if _, after := d.Token(); !errors.Is(after, io.EOF) {
			err = errTwo
		}
	}
	if err != nil { // what encoding/json says is of what was sent, and of nothing of ours
		return badRequest(fmt.Sprintf("the body: one JSON object with %s is needed: %v", fields, err), err)
	}
	return nil
}

// errEmpty is the answer to a body that is needed and is not there.
var errEmpty error = &problem{Status: http.StatusBadRequest, Detail: "the body: it is empty, and one JSON object is needed"}
