package notify_test

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"hotline/call"
	"hotline/notify"
)

// TestSchemaIsTheMessage: what is documented for receivers is what is sent, field by field and kind by kind.
func TestSchemaIsTheMessage(t *testing.T) {
	text, err := os.ReadFile("../docs/webhook.schema.json")
	require.NoError(t, err)
	var schema struct {
		Required   []string
		Properties map[string]struct{ Enum []call.EventKind }
	}
	require.NoError(t, json.Unmarshal(text, &schema))
	manual, err := os.ReadFile("../docs/webhooks.md")
	require.NoError(t, err)
	var fields, required []string
	for f := range reflect.TypeFor[notify.Message]().Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields = append(fields, name)
		if options == "" {
			required = append(required, name)
		}
	}
	documented := make([]string, 0, len(schema.Properties))
	for name := range schema.Properties {
		documented = append(documented, name)
	}
	require.ElementsMatch(t, fields, documented)
	require.ElementsMatch(t, required, schema.Required)
	require.Equal(t, call.EventKinds(), schema.Properties["kind"].Enum)
	for _, kind := range call.EventKinds() {
		require.Contains(t, string(manual), "`"+string(kind)+"`")
	}
}
