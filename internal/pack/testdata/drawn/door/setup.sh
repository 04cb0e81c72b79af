rm -rf /tmp/labrun-drawn
mkdir /tmp/labrun-drawn
echo "$LABRUN_FLAG" >/tmp/labrun-drawn/word
