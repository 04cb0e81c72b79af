cp /tmp/labrun-drawn/word /tmp/labrun-drawn/$LABRUN_PORT
