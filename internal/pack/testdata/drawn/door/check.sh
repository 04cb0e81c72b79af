if [ "$(cat "/tmp/labrun-drawn/$LABRUN_PORT" 2>/dev/null)" = "$LABRUN_FLAG" ]; then
    echo "✓ there is a door $LABRUN_PORT"
else
    echo "✗ there is no door $LABRUN_PORT"
    exit 1
fi
