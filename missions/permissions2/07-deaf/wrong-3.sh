# why: writer has ended, too
sudo pkill -KILL -u niko 'counter|writer'
