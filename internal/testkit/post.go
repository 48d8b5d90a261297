package testkit

import (
	"io"
	"net/http"
	"strings"
)

// Post sends a body to a path with the token, and returns what is answered.
func (h *Hotline) Post(path, body string) (status int, answer string) {
	h.tb.Helper()
	request, err := http.NewRequestWithContext(h.tb.Context(), http.MethodPost, "http://"+h.HTTP+path, strings.NewReader(body))
	if err != nil {
		h.tb.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := h.client.Do(request)
	if err != nil {
		h.tb.Fatalf("POST %s: %v", path, err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end, or given up
	said, err := io.ReadAll(response.Body)
	if err != nil {
		h.tb.Fatalf("POST %s: %v", path, err)
	}
	return response.StatusCode, string(said)
}
