package testkit

import (
	"io"
	"net/http"
	"strings"
)

// Put sends a body to a path with the token; any answer but 200 fails the test.
func (h *Hotline) Put(path, body string) {
	h.tb.Helper()
	request, err := http.NewRequestWithContext(h.tb.Context(), http.MethodPut, "http://"+h.HTTP+path, strings.NewReader(body))
	if err != nil {
		h.tb.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := h.client.Do(request)
	if err != nil {
		h.tb.Fatalf("PUT %s: %v", path, err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end, or given up
	said, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		h.tb.Fatalf("PUT %s: %d %s (%v)", path, response.StatusCode, said, err)
	}
}
