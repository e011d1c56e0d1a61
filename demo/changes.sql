-- A busy afternoon in the shop: rows change and rows come, each with a newer updated_at.
SET timezone = 'UTC';
\set noon '2026-12-01 12:00:00'

UPDATE orders SET status = 'shipped', shipped_at = :'noon', updated_at = :'noon' WHERE status = 'paid' AND id % 16 = 1;
UPDATE products SET price = price + 1, updated_at = :'noon' WHERE id % 40 = 0;
UPDATE inventory SET quantity = 0, updated_at = :'noon' WHERE product_id % 50 = 0;
UPDATE customers SET newsletter = NOT newsletter, address = NULL, updated_at = :'noon' WHERE email LIKE 'customer77%';

INSERT INTO customers
SELECT md5('customer ' || n)::uuid, 'customer' || n || '@shop.example', 'Customer Nº ' || n, NULL, NULL, true, :'noon', :'noon'
FROM generate_series(15001, 15200) n;
INSERT INTO orders
SELECT n, md5('customer ' || 15001 + n % 200)::uuid, 'new', :'noon', NULL, 19.90, 'EUR', NULL, :'noon'
FROM generate_series(40001, 40300) n;
INSERT INTO order_lines
SELECT n, 1, 1 + n % 2000, 1, 19.90, NULL, :'noon' FROM generate_series(40001, 40300) n;
INSERT INTO reviews
SELECT n, 1 + n % 2000, md5('customer ' || n)::uuid, 5, 'Again!', ARRAY[]::integer[], :'noon' FROM generate_series(8001, 8100) n;
