package console

import (
	"testing"

	"github.com/labrun/labrun/internal/labtest"
)

// TestMain has many tests run side by side, which wait more than they compute.
func TestMain(m *testing.M) { labtest.Main(m) }
