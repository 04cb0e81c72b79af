#!/bin/bash
echo "Setting up exercise 1 ..."
cat > /srv/hello.sh << 'EOF'
#!/bin/sh
echo hello
EOF
chmod 644 /srv/hello.sh
echo "Done."
