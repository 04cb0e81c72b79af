# What the checks share: each prints what holds and what does not, and ends with 0 if all does.
failed=0
ok() { echo "✓ $*"; }
no() { echo "✗ $*"; failed=1; }

# can USER COMMAND…: whether that user can do it.
can() { local user="$1"; shift; setpriv --reuid "$user" --regid "$user" --init-groups -- "$@" >/dev/null 2>&1; }
