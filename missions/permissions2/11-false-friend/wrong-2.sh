# why: a slip of the pen runs what lies where she is
sed -i 's/PATH=\.:\$PATH/PATH=$PATH:./' ~/.profile
