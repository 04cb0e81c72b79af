#!/bin/bash
cat > /srv/two.sh <<'EOF'
#!/bin/sh
# comments are kept
for i in 1 2; do echo $i; done
EOF
chmod +x /srv/two.sh
